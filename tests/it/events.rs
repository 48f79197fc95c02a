//! Sealed events as others see them.
