//! What was decided: inputs, origins, selection, signatures.
