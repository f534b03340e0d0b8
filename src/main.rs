//! The command `publish`.

/// Many packages are held in memory in small allocations, while large buffers are allocated and freed between them. The system
/// allocator fragments under this load, and needs 20 KiB for each package.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    publish::cli::main()
}
