/// A text of some 500 tokens by which two forms of a model are compared.
///
/// It is written for this purpose, so no model has learned it by heart; a story, a report, a recipe
/// and a talk, so that words, numbers and turns of speech of several kinds are to be foreseen.
enum LlamaSampleText {
    static let english = """
        The ferry left the harbour at seven, an hour later than it should have. Nobody complained. \
        The old men at the rail had seen worse winters, and the children were too busy counting \
        gulls to notice the time. When the engine began to turn, the deck shook a little, and a \
        cup of coffee slid from one end of the table to the other without spilling a drop. \
        "She has always done that," said the captain, "ever since they moved the tanks." He looked \
        at the sky, which was grey in the west and pale yellow in the east, and pulled his cap \
        down over his ears.

        In the second quarter the company sold 1,240 machines, 15 percent more than a year before. \
        Most of them went to hospitals and schools, where the older models are being replaced. \
        Costs rose as well: steel became more expensive, and two of the three factories had to \
        close for a week because of the flood. The board expects that the result of the whole \
        year will be about the same as that of the last one, and it has decided to pay a dividend \
        of forty cents per share.

        To make the bread, mix the flour with the salt and the yeast in a large bowl. Add the \
        water slowly and stir until there is no dry flour left. Cover the bowl with a clean towel \
        and leave it in a warm place for two hours, or overnight in the refrigerator. Then heat \
        the oven, form a round loaf, and bake it for forty minutes, until the crust is brown and \
        the bottom sounds hollow when you knock on it.

        "Why do birds fly in the shape of a V?" the girl asked. Her teacher thought for a moment. \
        "Because it is easier," she said. "Each bird flies in the air that the one in front of it \
        has pushed upwards, so it does not have to work as hard. The one at the front gets tired \
        first, and after a while another takes its place." The girl nodded. "So they take turns," \
        she said, "like we do with the dishes." "Exactly," said the teacher, "only that the birds \
        never have to be told."
        """
}
