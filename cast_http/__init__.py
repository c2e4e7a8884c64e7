"""The HTTP base of the agent and of the central API."""
