import ArgumentParser
import Foundation
import MartletCore
import MartletEngines

/// `martlet rpc-server`: lets nodes of other machines compute here.
struct RPCServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-server",
        abstract: "Let a node on another machine compute with this one's memory and processors.",
        discussion: """
            For language models that are too large for one machine: a node started with \
            'martlet serve --rpc-device HOST:PORT --gpu-layers all' puts their layers here. It is \
            llama.cpp's RPC, of the same release as the node's. It serves one node at a time, and \
            uses the GPUs of this machine if llama.cpp was built for them, else its processors.

            The protocol knows neither encryption nor authentication, and whoever reaches the port \
            may end the process or worse: private networks only.

            EXAMPLES
              martlet rpc-server --address 10.0.0.7:50052
              martlet serve --model large=models/large --engine llama --gpu-layers all \\
                --rpc-device 10.0.0.7:50052

            Runs until it is ended, which is 0. Exits with 64 for a wrong command line, 69 without llama.cpp or \
            if it cannot listen.
            """)

    @Option(
        help: ArgumentHelp(
            "Where it listens: an IPv4 address of this machine and a port.",
            valueName: "host:port"))
    var address = NetworkAddress(host: "127.0.0.1", port: 50052)

    @Option(help: "Threads that compute; 0 for one per core.")
    var threads = 0

    @Option(help: ArgumentHelp("Folder with llama.cpp's libraries.", valueName: "dir"))
    var llamaPath: String?

    func validate() throws {
        guard (0...512).contains(threads) else {
            throw ValidationError("--threads is \(threads); use 0 to 512")
        }
        guard address.port > 0 else {
            throw ValidationError("--address is \(address); nodes must know the port: name one")
        }
    }

    func run() throws {
        // The engine's loop hears of no end: there is nothing to drain that could be told.
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
        do {
            let library = try LlamaLibrary(directory: LlamaLibrary.locate(preferred: llamaPath))
            if !address.host.hasPrefix("127.") {
                let warning =
                    "martlet: whoever reaches \(address) may compute here: keep it on a private "
                    + "network\n"
                FileHandle.standardError.write(Data(warning.utf8))
            }
            try library.serveDevices(
                at: address.description,
                threads: threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount)
        } catch {
            throw ExitCodes.report(error)
        }
    }
}
