import MartletCore
import MartletEngines

/// Tells language models whose decode loop hangs from those that are at work.
struct StallWatch: Sendable {
    /// A model whose loop hangs.
    struct Stall: Sendable, Equatable, CustomStringConvertible {
        let id: ServableID
        /// How long it has been at one step.
        let time: Duration

        var description: String {
            "\(id.model) version \(id.version): decode loop stalled "
                + "\(time.components.seconds) s"
        }
    }

    /// A step that takes longer counts as one that does not end; `nil` to take all as they are.
    let limit: Duration?

    /// Those of some models whose loop hangs.
    func stalls(of models: [any GenerativeModel]) -> [Stall] {
        guard let limit else { return [] }
        return models.compactMap { model in
            let age = model.load.stepAge
            return age > limit ? Stall(id: model.id, time: age) : nil
        }
    }
}
