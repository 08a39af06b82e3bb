-- Floors may go back. raw_gone and api_gone are the highest that they ever were: of
-- a day before them it is looked up whether its raw rows, or periods, were deleted.
-- In days and api_days raw is 2 while they are being deleted.
INSERT {{ignore}} INTO meta (name, value) SELECT 'raw_gone', value FROM meta WHERE name = 'raw_floor';
INSERT {{ignore}} INTO meta (name, value) SELECT 'api_gone', value FROM meta WHERE name = 'api_floor';

-- The day of the last cycle, as far as it is believed, and what is wrong with the clock.
INSERT {{ignore}} INTO meta (name, value) VALUES ('last_day', '');
INSERT {{ignore}} INTO meta (name, value) VALUES ('clock_trouble', '');
