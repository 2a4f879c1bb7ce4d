/// A grant for another model than the one that was asked, while it is open whether that is asked.
struct FallbackGrant: Sendable {
    /// What takes the place of the grant before.
    let grant: AccessGrant
    /// Quotas of the model that was asked first, which are given back if the other is asked.
    let given: [QuotaClaim]
    /// Quotas of the other model, which are given back if it is not.
    let taken: [QuotaClaim]

    /// The same grant, where it does not matter which model it is for.
    init(_ grant: AccessGrant) {
        self.grant = grant
        given = []
        taken = []
    }

    /// A grant whose lease has other quotas.
    init(_ before: AccessGrant, without given: [QuotaClaim], with taken: [QuotaClaim]) {
        self.given = given
        self.taken = taken
        let left = Set(given)
        let claims = before.lease.claims.filter { !left.contains($0) } + taken
        grant = AccessGrant(
            identity: before.identity, priority: before.priority,
            lease: AccessLease(pool: before.identity.pool, claims: claims), awaitsModel: false,
            balance: before.balance, spendsTokens: before.spendsTokens)
    }
}
