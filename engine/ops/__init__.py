"""Running the desk: alarms, events, jobs and health."""
