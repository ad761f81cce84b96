"""What every package stands on: settings, the database, migrations."""
