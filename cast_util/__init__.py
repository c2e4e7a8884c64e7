"""The parts that both the agent and the central API need to run as programs. They know neither, and no network."""
