//! For tests of shells.
