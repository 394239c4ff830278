-- What comes and goes by other channels than mail.

-- The file of a drop folder that a submission came as: its answers are called
-- after it. '' for what came by mail.
ALTER TABLE submission ADD COLUMN file TEXT NOT NULL DEFAULT '' CHECK (length(file) <= 200);

-- What somebody has asked for so far: STATUS by mail.
CREATE INDEX submission_by_principal ON submission (principal, id);

PRAGMA user_version = 4;
