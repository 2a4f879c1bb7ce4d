import MartletTransport

/// What nodes are told of who asks.
extension GatewayPolicy {
    /// Tells the node whose request it is, unless the route says so itself.
    ///
    /// What a client says of that is never passed on; see ``GatewayFields/tenant``.
    static func tell(_ tenant: String, by plan: inout ForwardingPlan) {
        var changes = plan.changes ?? ForwardingChanges()
        guard !changes.request.added.contains(where: { $0.name == GatewayFields.tenant })
        else { return }
        changes.request.added.append(
            .init(GatewayFields.tenant, GatewayFields.tenantValue(of: tenant)))
        plan.changes = changes
    }
}
