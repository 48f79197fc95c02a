-- A receipt belongs to a sink's progress with one component: when the tracker does not know it, that cursor goes back to
-- an older one.

ALTER TABLE receipts ADD COLUMN sink TEXT;
ALTER TABLE receipts ADD COLUMN component TEXT;
CREATE INDEX receipts_by_sink ON receipts (sink, component, position);
