"""The sandbox: a seeded market and a simulated exchange in this process.

It is an adapter like any other (`venue.SandboxVenue`) with a feed of its own (`market.SandboxFeed`);
no network, no credentials, no file.
"""
