/// What a cache has done since it was made, and what it holds; for metrics and the admin API.
///
/// Every answer that was taken in is held or has left: admissions are entries, rejections,
/// evictions, expirations, invalidations and removals together.
struct CacheCounters: Sendable, Equatable {
    /// Lookups answered with a fresh answer.
    var hits = 0
    /// Lookups answered with one that is no longer fresh, while a new one is asked for.
    var staleHits = 0
    /// Lookups that led: the node is asked.
    var misses = 0
    /// Lookups that wait for the answer of another.
    var follows = 0
    /// Lookups turned away by a bound: the node is asked, and the answer is not kept.
    var detours = 0
    /// Stale hits whose asker was told to ask for a new answer.
    var revalidations = 0
    /// Leaders that failed and whose place a follower took.
    var handovers = 0
    /// Answers taken in under a key that had none.
    var admissions = 0
    /// Answers stored in place of an older one of their key.
    var replacements = 0
    /// Answers not taken in, for being larger than the cache.
    var oversized = 0
    /// Answers let go after a trial, for not being asked for often enough to displace others.
    var rejections = 0
    /// Answers displaced by others.
    var evictions = 0
    /// Answers dropped because their time was over.
    var expirations = 0
    /// Answers dropped because their model has changed; counted when they are dropped.
    var invalidations = 0
    /// Answers dropped because somebody said so.
    var removals = 0
    /// Answers held, those among them that are not yet dropped though nobody gets them any more.
    var entries = 0
    /// Bytes that they take.
    var bytes = 0
}
