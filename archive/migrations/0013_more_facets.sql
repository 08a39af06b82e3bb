-- What raw rows tell of their reader, beside the referrer. NULL: it was not looked at
-- when the row was written, as in all rows before there were these columns.
ALTER TABLE access_logs ADD COLUMN country {{bytes 8}} NULL;

ALTER TABLE access_logs ADD COLUMN browser {{bytes 32}} NULL;

ALTER TABLE access_logs ADD COLUMN os {{bytes 32}} NULL;

ALTER TABLE access_logs ADD COLUMN device_type {{bytes 16}} NULL;

ALTER TABLE access_logs ADD COLUMN language {{bytes 8}} NULL;

ALTER TABLE access_logs ADD COLUMN screen {{bytes 16}} NULL;

ALTER TABLE access_logs ADD COLUMN channel {{bytes 16}} NULL;

ALTER TABLE access_logs ADD COLUMN campaign {{bytes 255}} NULL;
