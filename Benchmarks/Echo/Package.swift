// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "echo",
    dependencies: [
        .package(name: "martlet", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    ],
    targets: [
        .executableTarget(
            name: "echo",
            dependencies: [
                .product(name: "MartletTransport", package: "martlet"),
                .product(name: "Logging", package: "swift-log"),
            ])
    ]
)
