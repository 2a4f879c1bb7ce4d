import Logging
import MartletCore
import MartletModelServer
import MartletProtocols
import ServiceLifecycle

/// Reads the file of models again and again, and serves what it says.
///
/// A file that cannot be read or holds a mistake changes nothing: the models served stay served.
struct ModelConfigFileWatch: Service {
    let file: ModelConfigFile
    let interval: Duration
    let administration: ModelAdministration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var applied: Tensorflow_Serving_ModelServerConfig?
            var complaint: String?
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                guard !Task.isCancelled else { return }
                do {
                    let models = try file.read()
                    if models != applied { try await apply(models) }
                    applied = models
                    complaint = nil
                } catch {
                    // Once for each mistake, not at every look.
                    if complaint != "\(error)" {
                        logger.error(
                            "model config file not applied", metadata: ["error": "\(error)"])
                    }
                    complaint = "\(error)"
                }
            }
        }
    }

    private func apply(_ models: Tensorflow_Serving_ModelServerConfig) async throws {
        let failure = await withCheckedContinuation { continuation in
            administration.replaceModels(with: models) { continuation.resume(returning: $0) }
        }
        if let failure { throw failure }
        logger.info("model config file applied", metadata: ["file": "\(file.path)"])
    }
}
