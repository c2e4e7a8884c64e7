"""What the agent and the central API both need to run as programs; knows neither, and no network."""
