"""`make soak-reports`: 10,000 events of boxes and a central API that are killed all the time."""
