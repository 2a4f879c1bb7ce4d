internal import CHeap

/// What becomes of memory that the process has freed.
public enum ProcessHeap {
    /// Keeps up to 256 MiB of it for what is allocated next.
    ///
    /// Without this, freeing a request's largest tensor gives its pages back to the system, and the
    /// next request pays for them again. `MALLOC_MMAP_THRESHOLD_` and `MALLOC_TRIM_THRESHOLD_` in
    /// the environment go before (mallopt(3)).
    public static func keepFreed() { martlet_heap_keep_freed() }

    /// Hands it back to the system; unloading a model is invisible without it.
    public static func releaseFreed() { martlet_heap_release_freed() }
}
