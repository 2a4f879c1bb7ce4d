// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: the language mode is 6 by the tools version; these make
/// dependencies between files explicit and leave no warning unread.
let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOHPACK", package: "swift-nio-http2"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "NIOTLS", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")

/// A test target that mirrors the target of the same name.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.target(name: name), "MartletTestKit"] + dependencies,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .library(
            name: "MartletEngines", targets: ["MartletCore", "MartletTensors", "MartletEngines"]),
        .library(
            name: "MartletTransport",
            targets: ["MartletCore", "MartletTelemetry", "MartletTransport"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    ],
    targets: [
        .target(name: "CHeap"),
        .target(name: "CSpawn"),
        .target(
            name: "MartletCore", dependencies: ["CHeap", "CSpawn"], swiftSettings: swiftSettings),
        .target(
            name: "MartletConfiguration", dependencies: ["Yams"], swiftSettings: swiftSettings),
        .target(
            name: "CRapidJSON"),
        .target(
            name: "MartletTensors", dependencies: ["MartletCore", "CRapidJSON"],
            swiftSettings: swiftSettings),
        .target(
            name: "MartletProtocols", dependencies: [protobuf], exclude: ["Protos"],
            swiftSettings: swiftSettings),
        .target(name: "CStandardError"),
        .target(
            name: "MartletTelemetry", dependencies: ["MartletCore", "CStandardError", logging],
            swiftSettings: swiftSettings),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "MartletTransport",
            dependencies: [
                "MartletCore", "MartletTelemetry", "CZlib", logging, lifecycle,
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ] + nio,
            swiftSettings: swiftSettings),
        .target(name: "CTensorFlow", linkerSettings: [.linkedLibrary("dl")]),
        .target(name: "CLiteRT", linkerSettings: [.linkedLibrary("dl")]),
        // The engine's part is built by scripts/setup.sh against llama.cpp's headers.
        .target(name: "CLlama", exclude: ["engine"], linkerSettings: [.linkedLibrary("dl")]),
        .target(name: "COpenVINO", linkerSettings: [.linkedLibrary("dl")]),
        .target(
            name: "MartletEngines",
            dependencies: [
                "MartletCore", "MartletTensors", "CTensorFlow", "CLiteRT", "CLlama", "COpenVINO",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            // Installed by scripts/setup.sh beside the engine that it drives.
            exclude: ["OpenVINOGenAI/worker"],
            swiftSettings: swiftSettings),
        .target(
            name: "MartletRepository",
            dependencies: [
                "MartletCore", "MartletTensors", "MartletProtocols", "MartletTelemetry", "CZlib",
                protobuf,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "MartletModelServer",
            dependencies: [
                "MartletCore", "MartletTensors", "MartletProtocols", "MartletEngines",
                "MartletRepository", "MartletTelemetry", "MartletTransport", logging, lifecycle,
                protobuf,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: swiftSettings),
        .target(name: "CResolver"),
        .target(
            name: "MartletGateway",
            dependencies: [
                "MartletCore", "MartletConfiguration", "MartletTelemetry", "MartletTransport",
                "CResolver", logging, lifecycle,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "MartletOperations",
            dependencies: [
                "MartletCore", "MartletTelemetry", "MartletTransport", logging, lifecycle,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "MartletBench",
            dependencies: [
                "MartletCore", "MartletTensors", "MartletProtocols", "MartletTransport", protobuf,
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "MartletCore", "MartletConfiguration", "MartletTensors", "MartletProtocols",
                "MartletTelemetry", "MartletTransport", "MartletEngines", "MartletRepository",
                "MartletModelServer", "MartletGateway", "MartletOperations", "MartletBench",
                logging, lifecycle, protobuf,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "MartletTestKit",
            dependencies: ["MartletCore", "MartletTensors", "MartletEngines", logging],
            swiftSettings: swiftSettings),
        tests(of: "MartletCore"),
        tests(of: "MartletConfiguration"),
        tests(of: "MartletTensors", ["MartletCore"]),
        tests(of: "MartletTelemetry", ["MartletCore", logging]),
        tests(
            of: "MartletTransport",
            [
                "MartletCore", "MartletTelemetry", "CZlib", logging, lifecycle,
                .product(name: "NIOEmbedded", package: "swift-nio"),
                // The stock stack, to compare ours with.
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(
                    name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ] + nio),
        tests(
            of: "MartletRepository",
            ["MartletCore", "MartletTensors", "MartletProtocols", "CZlib", protobuf]),
        tests(
            of: "MartletEngines", ["MartletCore", "MartletTensors", "MartletRepository"]),
        tests(
            of: "MartletModelServer",
            [
                "MartletCore", "MartletTensors", "MartletProtocols", "MartletEngines",
                "MartletRepository", "MartletTelemetry", "MartletTransport", logging, protobuf,
            ]),
        tests(
            of: "MartletGateway",
            [
                "MartletCore", "MartletConfiguration", "MartletProtocols", "MartletTelemetry",
                "MartletTransport", logging, protobuf,
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ]),
        tests(
            of: "MartletOperations",
            [
                "MartletCore", "MartletTelemetry", "MartletTransport", logging, lifecycle,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ]),
        tests(
            of: "MartletBench",
            ["MartletCore", "MartletTensors", "MartletProtocols", "MartletTransport", protobuf]),
        tests(
            of: "martlet",
            [
                "MartletCore", "MartletConfiguration", "MartletEngines", "MartletGateway",
                "MartletModelServer", "MartletOperations", "MartletProtocols", "MartletTransport",
                logging, protobuf,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
    ],
    cxxLanguageStandard: .cxx17
)
