//! OCI image layouts and registries: assemble, pull, push, by digest.
