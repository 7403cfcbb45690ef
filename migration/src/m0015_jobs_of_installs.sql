-- There is one job for all installs on an instance now. Those that each had one of its own get it from the
-- sweep that looks for installs without a job.
DELETE FROM jobs WHERE lane LIKE 'align_install:%';
