"""What both runtimes are made from: variants with their locks, the files that go in, a site's CA and index."""
