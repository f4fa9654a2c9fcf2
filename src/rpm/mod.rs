//! RPM files: bounded header reader, dependency model, signature-header editor.
