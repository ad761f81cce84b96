"""What operators see and are told: records, figures, previews, alarms."""
