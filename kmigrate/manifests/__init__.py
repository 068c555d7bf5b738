"""Resources for Strimzi and settings for connectors, rendered from the migration: values in, resources out."""
