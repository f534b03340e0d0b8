//! The signals that end a command: their names and exit codes.

/// A signal that ends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndingSignal {
    Interrupt,
    Terminate,
}

impl EndingSignal {
    /// The name, as in signal(7).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code: 128 and the number of the signal, as a shell reports it.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}
