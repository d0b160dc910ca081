//! JSON Schemas, the catalogue and the pages, all from the registry.
