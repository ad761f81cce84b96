"""What operators see and are told: alarms, what needs attention, statistics, history, previews, metrics."""
