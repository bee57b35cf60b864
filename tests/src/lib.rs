//! Nothing lives here: the package exists for its integration tests.
