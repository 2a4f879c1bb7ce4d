/// What some flags mean beyond their numbers.
extension ModelServerFlags {
    /// How often storage is looked at.
    enum Polling: Equatable {
        /// Not at all.
        case never
        /// When the server starts.
        case once
        /// Again and again, with this pause.
        case every(Duration)
    }

    /// The port of gRPC; nil if there is none.
    var grpcPort: Int? { port == 0 ? nil : port }

    /// The port of REST; nil if there is none, or if gRPC has it.
    var restPort: Int? { restApiPort == 0 || restApiPort == port ? nil : restApiPort }

    /// Longest time a REST request may take.
    var restTimeout: Duration { .milliseconds(restApiTimeoutInMs) }

    /// How often versions are looked for.
    var versionPolling: Polling {
        switch fileSystemPollWaitSeconds {
        case ..<0: .never
        case 0: .once
        default: .every(.seconds(fileSystemPollWaitSeconds))
        }
    }

    /// The file of models; nil if one model is named by flags.
    var modelConfig: ModelConfigFile? {
        modelConfigFile.isEmpty ? nil : ModelConfigFile(path: modelConfigFile)
    }

    /// Pause between two looks at the file of models; nil if it is read only once.
    var modelConfigFilePollInterval: Duration? {
        guard modelConfigFilePollWaitSeconds > 0, !modelConfigFile.isEmpty else { return nil }
        return .seconds(modelConfigFilePollWaitSeconds)
    }

    /// Pause between two attempts to load a version.
    var loadRetryInterval: Duration { .microseconds(max(loadRetryIntervalMicros, 0)) }
}
