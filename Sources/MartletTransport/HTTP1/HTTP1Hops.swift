/// Which fields a proxy passes on (RFC 9110, section 7.6.1).
enum HTTP1Hops {
    /// Copies the lines of a checked head's fields, but those that speak of one connection, or of
    /// the length, which whoever writes the message says anew.
    static func copyFields(
        _ bytes: UnsafeRawBufferPointer, from start: Int, connection: HTTP1ConnectionField,
        keepsUpgrade: Bool = false, changes: FieldChanges? = nil, to target: inout [UInt8]
    ) {
        let removed = changes?.removed ?? []
        let named =
            connection.namesFields
            ? namedFields(bytes, from: start, keepsUpgrade: keepsUpgrade) : []
        var position = start
        while let field = HTTP1Head.field(bytes, at: &position) {
            guard !isForOneHop(bytes, field.name, keepsUpgrade: keepsUpgrade),
                !named.contains(where: { bytes.isSame($0, field.name) })
            else { continue }
            if !removed.isEmpty, removed.contains(bytes.text(field.name).lowercased()) { continue }
            target.append(contentsOf: bytes[field.name.lowerBound..<position])
        }
        for field in changes?.added ?? [] {
            target.append(contentsOf: "\(field.name): \(field.value)\r\n".utf8)
        }
    }

    /// Whether a field is for whoever gets it first, and for nobody behind.
    static func isForOneHop(
        _ bytes: UnsafeRawBufferPointer, _ name: Range<Int>, keepsUpgrade: Bool
    ) -> Bool {
        switch name.count {
        case 2: bytes.spells("te", name)
        // The gateway answers it itself.
        case 6: bytes.spells("expect", name)
        case 7: !keepsUpgrade && bytes.spells("upgrade", name)
        case 10: bytes.spells("connection", name) || bytes.spells("keep-alive", name)
        case 14: bytes.spells("content-length", name)
        // Whose a request is, a gateway says itself (``GatewayFields/tenant``).
        case 16: bytes.spells("proxy-connection", name) || bytes.spells("x-martlet-tenant", name)
        case 17: bytes.spells("transfer-encoding", name)
        case 18: bytes.spells("proxy-authenticate", name)
        case 19: bytes.spells("proxy-authorization", name)
        // Whoever passes it on says what is left of it.
        case 20: bytes.spells("x-request-timeout-ms", name)
        // Load is reported to whoever balances, who asks for it himself.
        case 21: bytes.spells("endpoint-load-metrics", name)
        case 25: bytes.spells("endpoint-load-metrics-bin", name)
        case 28: bytes.spells("endpoint-load-metrics-format", name)
        default: false
        }
    }

    /// What `Connection` names; it cannot take away whom a message is for, nor a change of protocol
    /// that is passed on.
    private static func namedFields(
        _ bytes: UnsafeRawBufferPointer, from start: Int, keepsUpgrade: Bool
    ) -> [Range<Int>] {
        var named: [Range<Int>] = []
        var position = start
        while let field = HTTP1Head.field(bytes, at: &position) {
            guard bytes.spells("connection", field.name) else { continue }
            bytes.forEachMember(field.value) { member in
                let isKept =
                    bytes.spells("host", member) || keepsUpgrade && bytes.spells("upgrade", member)
                if !member.isEmpty, !isKept { named.append(member) }
            }
        }
        return named
    }
}
