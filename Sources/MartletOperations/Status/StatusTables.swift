public import MartletCore

extension EndpointsStatus {
    /// A table with a row for each endpoint.
    public func endpointTable() -> TextTable {
        var table = TextTable([
            .init("ENDPOINT"), .init("HEALTH"), .init("WEIGHT", .right), .init("IN FLIGHT", .right),
            .init("REQUESTS", .right), .init("FAILURES", .right),
        ])
        for endpoint in endpoints {
            table.append([
                .init(endpoint.address),
                endpoint.healthCell,
                .init(hundredths(endpoint.weight)), .init("\(endpoint.inFlight)"),
                .init("\(endpoint.requests)"),
                .init("\(endpoint.failures)", endpoint.failures == 0 ? .plain : .bad),
            ])
        }
        return table
    }

    /// A table with a row for each version of each model of each endpoint.
    public func modelTable() -> TextTable {
        var table = TextTable([
            .init("MODEL"), .init("VERSION", .right), .init("ENDPOINT"), .init("STATE"),
            .init("ERROR"),
        ])
        for endpoint in endpoints {
            for model in endpoint.models {
                for version in model.versions {
                    table.append(row(endpoint: endpoint, model: model, version: version))
                }
            }
        }
        return table
    }

    private func row(
        endpoint: EndpointStatus, model: ModelStatus, version: ModelVersionStatus
    ) -> [TextTable.Cell] {
        let isWell = version.errorCode == "OK"
        let tone: TextTable.Tone =
            isWell ? (version.state == "AVAILABLE" ? .good : .pending) : .bad
        let error = isWell ? "" : "\(version.errorCode): \(version.errorMessage)"
        return [
            .init(model.name), .init(version.version), .init(endpoint.address),
            .init(version.state, tone), .init(error),
        ]
    }
}

extension SupervisorSnapshot {
    /// A table with a row for each process.
    public func table() -> TextTable {
        var table = TextTable([
            .init("NAME"), .init("ADDRESS"), .init("PID", .right), .init("RESTARTS", .right),
            .init("STATE"),
        ])
        for process in processes {
            table.append([
                .init(process.name), .init(process.address),
                .init(process.pid.map { "\($0)" } ?? "-"), .init("\(process.restarts)"),
                .init(process.state.word, process.tone),
            ])
        }
        return table
    }
}

extension ProcessSnapshot {
    fileprivate var tone: TextTable.Tone {
        switch state {
        case .ready: .good
        case .starting: .pending
        case .backingOff: .bad
        case .stopping, .stopped: .plain
        }
    }
}

/// A number with two decimals.
private func hundredths(_ number: Double) -> String {
    guard number.isFinite, number.magnitude < 1e15 else { return "\(number)" }
    let scaled = Int((number.magnitude * 100).rounded())
    let decimals = scaled % 100
    return (number < 0 ? "-" : "") + "\(scaled / 100)." + (decimals < 10 ? "0" : "") + "\(decimals)"
}

extension EndpointStatus {
    fileprivate var healthCell: TextTable.Cell {
        if ejected { return .init("ejected", .bad) }
        if healthy { return .init("healthy", .good) }
        return degraded ? .init("degraded", .bad) : .init("unhealthy", .bad)
    }
}
