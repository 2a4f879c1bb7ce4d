import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors
internal import SwiftProtobuf

/// The model and version that a request's model spec names.
struct ModelSpecTarget {
    let model: String
    let version: VersionChoice
    /// The signature named; empty for the default.
    let signatureName: String

    /// Reads a model spec and notes what it names.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when the request has none.
    init(_ spec: Tensorflow_Serving_ModelSpec?, _ subject: inout RequestSubject) throws {
        guard let spec else { throw ServingError.invalidArgument("Missing ModelSpec") }
        model = spec.name
        signatureName = spec.signatureName
        version =
            switch spec.versionChoice {
            case .version(let number): .number(number.value)
            case .versionLabel(let label): .label(label)
            case nil: .latest
            }
        subject.model = model
        subject.requestedVersion = version
    }

    /// Reads a model spec that needed no message, and notes what it names.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) when the request has none.
    init(_ spec: ModelSpecWire?, _ subject: inout RequestSubject) throws {
        guard let spec else { throw ServingError.invalidArgument("Missing ModelSpec") }
        model = spec.name
        signatureName = spec.signatureName
        version =
            spec.version.map { .number($0) } ?? spec.label.map { .label($0) } ?? .latest
        subject.model = model
        subject.requestedVersion = version
    }

    /// Takes a hold on the servable and notes its version.
    ///
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` without a name, else as
    ///   ``ModelManager/lease(model:version:)``.
    func lease(
        from manager: ModelManager, subject: inout RequestSubject
    ) throws -> ServableLease {
        guard !model.isEmpty else {
            throw ServingError.invalidArgument("ModelSpec has no name specified.")
        }
        let lease = try manager.lease(model: model, version: version)
        subject.version = lease.loaded.servable.id.version
        return lease
    }
}

extension Tensorflow_Serving_ModelSpec {
    /// The spec of the servable and signature that answered.
    init(effective id: ServableID, signature: String) {
        self.init()
        name = id.model
        version.value = id.version
        signatureName = signature
    }
}
