//! The command `publish`.

/// Many packages are held at once, each in a few small pieces, while large buffers come and go between them. The system's
/// allocator puts the one into the gaps of the other, and ends with 20 KiB for each package.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    publish::cli::main()
}
