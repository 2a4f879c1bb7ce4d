/// Header fields, or metadata, by which a gateway tells nodes what it knows of a request.
///
/// Anybody can write them, so nodes believe them only where they are told to trust whoever sends
/// them.
public enum GatewayFields {
    /// Whose request it is.
    ///
    /// Gateways never pass on what a client says here.
    public static let tenant = "x-martlet-tenant"

    /// Which requests it goes before.
    public static let priority = "x-martlet-priority"

    /// Longest value of ``tenant``, in bytes: the longest name of a tenant (256), each byte of it
    /// written as three.
    public static let tenantBytesMax = 768

    /// The value of ``tenant`` for a name: bytes other than visible ASCII, and `%`, are written as
    /// `%` and two digits, so that different names have different values.
    ///
    /// - Parameter name: the name of a tenant.
    /// - Returns: the value, which has no spaces.
    public static func tenantValue(of name: String) -> String {
        guard !name.utf8.allSatisfy(isPlain) else { return name }
        let digits = Array("0123456789ABCDEF".utf8)
        var value: [UInt8] = []
        for byte in name.utf8 {
            if isPlain(byte) {
                value.append(byte)
            } else {
                value += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: value, as: UTF8.self)
    }

    /// Whether a value can be that of ``tenant``: visible ASCII, neither empty nor too long.
    public static func isTenantValue(_ value: String) -> Bool {
        (1...tenantBytesMax).contains(value.utf8.count)
            && value.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "%")
    }
}
