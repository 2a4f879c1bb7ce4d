import MartletCore
import MartletProtocols
import MartletTransport
internal import SwiftProtobuf

/// The Open Inference Protocol's extension `system_shared_memory` over gRPC.
struct SharedMemoryGRPCService: GRPCService {
    private static let prefix = "/inference.GRPCInferenceService/"
    private static let cudaMethods = [
        "CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister",
    ]

    let lender: SharedMemoryLender

    var operations: [String: Operation<GRPCCall, [UInt8]>] {
        var operations = [
            "SystemSharedMemoryStatus": control("shared_memory_status") {
                (request: Inference_SystemSharedMemoryStatusRequest) in
                try status(request.name.isEmpty ? nil : request.name)
            },
            "SystemSharedMemoryRegister": control("shared_memory_register") {
                (request: Inference_SystemSharedMemoryRegisterRequest) in
                try lender.regions.register(
                    .init(
                        name: request.name, key: request.key, offset: Int(clamping: request.offset),
                        byteCount: Int(clamping: request.byteSize)))
                return Inference_SystemSharedMemoryRegisterResponse()
            },
            "SystemSharedMemoryUnregister": control("shared_memory_unregister") {
                (request: Inference_SystemSharedMemoryUnregisterRequest) in
                lender.regions.unregister(request.name.isEmpty ? nil : request.name)
                return Inference_SystemSharedMemoryUnregisterResponse()
            },
        ]
        for method in Self.cudaMethods {
            operations[method] = Operation(name: "cuda_shared_memory", lane: .control) { _, _ in
                throw ServingError(
                    .unimplemented,
                    "Shared memory of graphics processors is not supported; use that of the "
                        + "system")
            }
        }
        return Dictionary(
            operations.map { (Self.prefix + $0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    private func control<Request: Message, Response: Message>(
        _ name: String, _ respond: @escaping @Sendable (Request) throws -> Response
    ) -> Operation<GRPCCall, [UInt8]> {
        Operation(name: name, lane: .control) { call, _ in
            try lender.check(remoteAddress: call.context.remoteAddress, headers: call.metadata)
            return .ready(try GRPCCoding.encode(respond(GRPCCoding.decode(call))))
        }
    }

    private func status(_ name: String?) throws -> Inference_SystemSharedMemoryStatusResponse {
        var response = Inference_SystemSharedMemoryStatusResponse()
        for region in try lender.regions.status(of: name) {
            response.regions[region.name] = .with {
                $0.name = region.name
                $0.key = region.key
                $0.offset = UInt64(region.offset)
                $0.byteSize = UInt64(region.byteCount)
            }
        }
        return response
    }
}
