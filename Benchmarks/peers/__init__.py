"""A node beside other model servers: same model, same clients, same cores, in one run."""
