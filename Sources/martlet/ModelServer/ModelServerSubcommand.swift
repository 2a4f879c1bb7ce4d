import ArgumentParser

/// `martlet model-server` as the list of commands and `martlet help` show it.
///
/// It runs as ``ModelServerCommand``: ``Main`` sees to that before ArgumentParser sees arguments,
/// which the original takes in forms that ArgumentParser does not know.
struct ModelServerSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: ModelServerInvocation.commandName,
        abstract: ModelServerCommand.configuration.abstract,
        discussion: ModelServerCommand.configuration.discussion)

    @OptionGroup var flags: ModelServerFlags
    @OptionGroup var extras: ModelServerExtras

    func run() async throws {
        var command = ModelServerCommand()
        command.flags = flags
        command.extras = extras
        try await command.run()
    }
}
