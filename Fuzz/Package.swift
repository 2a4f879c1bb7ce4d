// swift-tools-version: 6.2
import PackageDescription

// Apart from the main package, so that it slows no build: only the parsers are compiled here, and
// all that is compiled is instrumented. Build it by run.sh, which names the sanitizer.

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// For targets whose internals are checked, though they are built for speed.
let testable = swiftSettings + [.unsafeFlags(["-enable-testing"])]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOHPACK", package: "swift-nio-http2"),
]

func fuzzer(_ name: String) -> Target {
    .executableTarget(
        name: name, dependencies: ["FuzzTarget", "Properties"], swiftSettings: swiftSettings)
}

let package = Package(
    name: "fuzz",
    // The same versions as in the main package.
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
    ],
    targets: [
        .target(name: "CHeap"),
        .target(name: "CStandardError"),
        .target(name: "MartletCore", dependencies: ["CHeap"], swiftSettings: swiftSettings),
        .target(
            name: "MartletTelemetry",
            dependencies: [
                "MartletCore", "CStandardError", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),
        .target(name: "MartletTestKit", swiftSettings: swiftSettings),
        .target(
            name: "MartletTransport", dependencies: ["MartletCore", "MartletTelemetry"] + nio,
            swiftSettings: testable),
        .target(
            name: "Properties", dependencies: ["MartletTestKit", "MartletTransport"] + nio,
            swiftSettings: testable),
        .target(name: "FuzzTarget", swiftSettings: swiftSettings),
        fuzzer("http1-request"), fuzzer("http1-answer"), fuzzer("http2-request"),
    ]
)
