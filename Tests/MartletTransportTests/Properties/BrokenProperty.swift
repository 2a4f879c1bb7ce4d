/// What is promised for any bytes, and does not hold for some.
struct BrokenProperty: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// Throws unless a promise holds.
    static func unless(
        _ holds: Bool, _ description: @autoclosure () -> String
    ) throws(BrokenProperty) {
        guard holds else { throw BrokenProperty(description()) }
    }
}
