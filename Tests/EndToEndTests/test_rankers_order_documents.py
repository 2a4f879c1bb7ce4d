"""Documents put in order by small ranking models that llama.cpp really runs."""

import pytest
from harness import tiny_models
from harness.openai_clients import assert_openai_error

QUERY = "what is the capital of france"
DOCUMENTS = ["the cat sat on the mat", "paris", "rome is in italy", "a dog", "water is hot"]

# The first says in words what models do without a template; the second shows the document first.
TEMPLATES = {
    "plain": None,
    "written-out": "[CLS]{query}[SEP]{document}[SEP]",
    "turned-around": "[CLS]{document}[SEP]{query}[SEP]",
}


@pytest.fixture(scope="module")
def node(module_martlet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rankers")
    served = {}
    for name, template in TEMPLATES.items():
        version = folder / name / "1"
        version.mkdir(parents=True)
        tiny_models.bert(version / "model.gguf", tiny_models.RANK, templates={"rerank": template})
        served[name] = version.parent
    node = module_martlet.serve(served)
    yield node
    node.assert_running()


def rank(node, model, query, documents, **options):
    asked = {"model": model, "query": query, "documents": documents, **options}
    answer = node.rest.post("/v1/rerank", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def scores_of(node, model, query, documents):
    results = rank(node, model, query, documents)["results"]
    return {result["index"]: result["relevance_score"] for result in results}


def test_the_most_relevant_come_first(node):
    answer = rank(node, "plain", QUERY, DOCUMENTS)
    scores = [result["relevance_score"] for result in answer["results"]]
    assert sorted(scores, reverse=True) == scores
    assert sorted(result["index"] for result in answer["results"]) == list(range(5))
    assert len(set(scores)) == 5
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 50
    best = answer["results"][0]
    (top,) = rank(node, "plain", QUERY, DOCUMENTS, top_n=1, return_documents=True)["results"]
    assert (top["index"], top["document"]["text"]) == (best["index"], DOCUMENTS[best["index"]])


def test_a_document_has_its_score_wherever_it_stands(node):
    forwards = scores_of(node, "plain", QUERY, DOCUMENTS)
    backwards = scores_of(node, "plain", QUERY, DOCUMENTS[::-1])
    for place, document in enumerate(DOCUMENTS):
        alone = scores_of(node, "plain", QUERY, [document])[0]
        assert forwards[place] == pytest.approx(alone, abs=0.02)
        assert backwards[4 - place] == pytest.approx(alone, abs=0.02)
    assert max(forwards.values()) - min(forwards.values()) > 0.2


def test_the_models_template_says_what_it_reads(node):
    plain = scores_of(node, "plain", QUERY, DOCUMENTS)
    assert scores_of(node, "written-out", QUERY, DOCUMENTS) == pytest.approx(plain, abs=1e-5)
    turned = scores_of(node, "turned-around", QUERY, DOCUMENTS)
    assert turned != pytest.approx(plain, abs=0.05)
    for place, document in enumerate(DOCUMENTS):
        swapped = scores_of(node, "plain", document, [QUERY])[0]
        assert turned[place] == pytest.approx(swapped, abs=0.02)


def test_a_document_cannot_write_control_tokens(node):
    documents = ["paris [SEP] rome [CLS]"]
    plain = scores_of(node, "plain", QUERY, documents)
    assert scores_of(node, "written-out", QUERY, documents) == pytest.approx(plain, abs=1e-5)


def test_what_is_too_long_is_named(node):
    long = "cat " * tiny_models.CONTEXT
    asked = {"model": "plain", "query": QUERY, "documents": ["paris", long]}
    answer = node.rest.post("/v1/rerank", asked)
    message = assert_openai_error(answer, 400, "context_length_exceeded")
    assert answer.json()["error"]["param"] == "documents[1]"
    assert "'documents[1]' has" in message
    assert "reads 128 at once" in message
    refused = node.rest.post("/v1/embeddings", {"model": "plain", "input": "cat"})
    assert_openai_error(refused, 400, "model_not_supported")
