/// Why a file is no sound GGUF file.
struct GGUFFault: Error, CustomStringConvertible {
    /// What a fault says about the file as a whole.
    enum Kind {
        /// It says what cannot be.
        case unsound
        /// It ends before what it speaks of: a copy that is not complete, most often.
        case cutOff
    }

    let kind: Kind

    /// Where in the file, in bytes from its start; `nil` for what concerns no one place.
    let place: Int?

    /// What is wrong, and with which key or tensor.
    let reason: String

    static func unsound(_ reason: String, at place: Int? = nil) -> GGUFFault {
        GGUFFault(kind: .unsound, place: place, reason: reason)
    }

    static func cutOff(_ reason: String, at place: Int) -> GGUFFault {
        GGUFFault(kind: .cutOff, place: place, reason: reason)
    }

    var description: String {
        place.map { "\(reason), at byte \($0)" } ?? reason
    }
}

extension String {
    /// A name out of a file as messages show it: cut, and without what a terminal would act on.
    var shown: String {
        let cut = unicodeScalars.prefix(80).map { scalar in
            scalar.properties.generalCategory == .control ? "?" : String(scalar)
        }
        return cut.joined() + (unicodeScalars.count > 80 ? "..." : "")
    }
}
