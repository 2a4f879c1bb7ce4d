"""OpenAI's API: what the stock `openai` client asks of a language model, it gets."""

import openai
import pytest
from harness.language_models import NAME
from harness.openai_clients import (
    STORY,
    chat,
    complete,
    streamed_text,
    text_of,
    tokens_of,
    user,
)

FRANCE = "What is the capital of France?"
COUNT = "Count: 1, 2, 3, 4,"


def test_models_are_listed(language_model):
    (model,) = language_model.models.list().data
    assert (model.id, model.object) == (NAME, "model")
    assert model.created > 1_700_000_000


def test_a_chat_is_answered(language_model):
    answer = chat(language_model, FRANCE, max_tokens=32)
    assert "Paris" in text_of(answer)
    assert (answer.object, answer.model) == ("chat.completion", NAME)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 < usage.completion_tokens <= 32


def test_a_stream_says_what_a_whole_answer_says(language_model):
    whole = chat(language_model, FRANCE)
    assert streamed_text(chat(language_model, FRANCE, stream=True)) == text_of(whole)
    whole = complete(language_model, COUNT)
    assert streamed_text(complete(language_model, COUNT, stream=True)) == text_of(whole)


def test_a_stream_has_a_role_pieces_a_reason_and_usage(language_model):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chat(language_model, FRANCE, max_tokens=4, **options)
    assert len({chunk.id for chunk in [*chunks, last]}) == 1
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    roles = [chunk.choices[0].delta.role for chunk in chunks]
    assert roles == ["assistant"] + [None] * (len(chunks) - 1)
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["length"]
    assert len(chunks) >= 4
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage.completion_tokens == 4
    assert last.usage.prompt_tokens > 0


def test_a_stream_has_no_usage_unless_asked(language_model):
    chunks = list(chat(language_model, FRANCE, max_tokens=2, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


# Legacy completions.


def test_several_prompts_have_several_choices_each(language_model):
    prompts = ["One day", "The sea"]
    answer = complete(language_model, prompts, n=2, echo=True, max_tokens=4, temperature=1)
    assert (answer.object, [choice.index for choice in answer.choices]) == (
        "text_completion",
        [0, 1, 2, 3],
    )
    for choice in answer.choices:
        prompt = prompts[choice.index // 2]
        assert choice.text.startswith(prompt)
        assert len(choice.text) > len(prompt)
    assert answer.usage.completion_tokens <= 16


def test_an_echo_alone_is_the_prompt(language_model):
    answer = complete(language_model, STORY, echo=True, max_tokens=0)
    assert text_of(answer) == STORY


def test_streams_of_several_choices_name_each(language_model):
    options = {"n": 3, "max_tokens": 4, "temperature": 1, "stream": True}
    ended = {}
    for chunk in complete(language_model, STORY, **options):
        for choice in chunk.choices:
            assert choice.index not in ended, "more of a choice after its end"
            if choice.finish_reason:
                ended[choice.index] = choice.finish_reason
    assert ended == dict.fromkeys(range(3), "length")


def test_a_prompt_may_be_given_as_tokens(language_node):
    client = language_node.openai
    tokens = tokens_of(language_node, COUNT, add_special=True)
    text = text_of(complete(client, COUNT))
    assert text_of(complete(client, tokens)) == text
    both = complete(client, [tokens, tokens])
    assert [choice.text for choice in both.choices] == [text, text]
    assert both.usage.prompt_tokens == 2 * len(tokens)


# Chance.


def test_the_same_seed_says_the_same_and_each_choice_differs(language_model):
    def texts(seed):
        answer = complete(language_model, STORY, n=3, seed=seed, temperature=1, max_tokens=12)
        return [choice.text for choice in answer.choices]

    first = texts(7)
    assert texts(7) == first
    assert len(set(first)) == 3
    assert texts(8) != first


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 0.0001}, {"min_p": 1}], ids=str)
def test_narrow_choices_leave_the_likeliest(language_model, narrow):
    greedy = text_of(complete(language_model, COUNT))
    answer = complete(language_model, COUNT, temperature=2, seed=1, extra_body=narrow)
    assert text_of(answer) == greedy


def test_heat_says_something_else(language_model):
    assert text_of(complete(language_model, COUNT, temperature=2, seed=1)) != text_of(
        complete(language_model, COUNT)
    )


@pytest.mark.parametrize(
    "penalty", [{"frequency_penalty": 2}, {"presence_penalty": 2}, {"repeat_penalty": 2}], ids=str
)
def test_penalties_change_a_text_that_repeats_itself(language_model, penalty):
    def words(**options):
        answer = chat(
            language_model, "What is the weather in Paris?", max_tokens=48, extra_body=options
        )
        return text_of(answer).split()

    def repeated(words):
        return len(words) - len(set(words))

    plain = words(ignore_eos=True)
    assert repeated(plain) > 10
    assert repeated(words(ignore_eos=True, **penalty)) < repeated(plain) / 2


def test_a_bias_forbids_a_token_or_leaves_no_other(language_node):
    client = language_node.openai
    (five,) = tokens_of(language_node, "5")
    assert "5" in text_of(complete(client, COUNT, max_tokens=4))
    assert "5" not in text_of(complete(client, COUNT, logit_bias={str(five): -100}))
    assert text_of(complete(client, COUNT, max_tokens=4, logit_bias={str(five): 100})) == "5555"


# Ends.


def test_a_stop_is_never_in_the_text(language_model):
    full = text_of(complete(language_model, COUNT))
    assert full.startswith(" 5, 6, 7")
    for stop in ("6", ["zebra", "7"]):
        word = stop if isinstance(stop, str) else stop[-1]
        answer = complete(language_model, COUNT, stop=stop)
        assert text_of(answer) == full[: full.index(word)]
        assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("start", range(3, 9))
def test_a_stop_may_lie_across_tokens(language_model, start):
    full = text_of(complete(language_model, STORY))
    stop = full[start : start + 9]
    answer = complete(language_model, STORY, stop=stop)
    assert text_of(answer) == full[: full.index(stop)]
    stream = complete(language_model, STORY, stop=stop, stream=True)
    assert streamed_text(stream) == full[: full.index(stop)]


def test_a_stop_that_only_begins_is_told(language_model):
    full = text_of(complete(language_model, STORY))
    stream = complete(language_model, STORY, stop=full[-5:] + "zebra", stream=True)
    assert streamed_text(stream) == full


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_so_many_tokens_are_the_most(language_model, field):
    answer = language_model.chat.completions.create(
        model=NAME, messages=[user("Tell me a story.")], temperature=0, **{field: 5}
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


# Log-probabilities.


def assert_likeliest_first(token):
    assert token.logprob <= 0
    assert [top.logprob for top in token.top_logprobs] == sorted(
        (top.logprob for top in token.top_logprobs), reverse=True
    )


def test_a_chat_tells_log_probabilities(language_model):
    answer = chat(language_model, FRANCE, logprobs=True, top_logprobs=3)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == text_of(answer)
    assert b"".join(bytes(token.bytes) for token in tokens) == text_of(answer).encode()
    for token in tokens:
        assert len(token.top_logprobs) == 3
        assert_likeliest_first(token)
        assert token.top_logprobs[0].token == token.token
    chunks = chat(language_model, FRANCE, logprobs=True, top_logprobs=3, stream=True)
    streamed = [
        token.token
        for chunk in chunks
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert streamed == [token.token for token in tokens]


def test_a_completion_tells_log_probabilities(language_model):
    answer = complete(language_model, COUNT, logprobs=2)
    found = answer.choices[0].logprobs
    assert "".join(found.tokens) == text_of(answer)
    assert all(logprob <= 0 for logprob in found.token_logprobs)
    assert len(found.tokens) == len(found.token_logprobs) == answer.usage.completion_tokens
    assert all(len(top) == 2 for top in found.top_logprobs)
    starts = [sum(map(len, found.tokens[:index])) for index in range(len(found.tokens))]
    assert found.text_offset == starts


# Beside the text.


def test_a_prompt_sent_again_is_found_in_the_cache(language_model):
    prompt = "A prompt that no other test sends has to be computed once and not again. " * 4
    first = chat(language_model, prompt, max_tokens=1).usage
    second = chat(language_model, prompt, max_tokens=1).usage
    assert second.prompt_tokens == first.prompt_tokens > 60
    assert first.prompt_tokens_details.cached_tokens < 40
    assert second.prompt_tokens_details.cached_tokens >= 0.9 * second.prompt_tokens


def test_a_version_and_a_fingerprint_are_named(language_model):
    answer = chat(language_model, FRANCE, model=f"{NAME}:1", max_tokens=1)
    assert answer.model == f"{NAME}:1"
    assert answer.system_fingerprint == "llama-1"
    with pytest.raises(openai.NotFoundError):
        chat(language_model, FRANCE, model=f"{NAME}:2")


@pytest.mark.parametrize("text", ["Hello world", "grüße, 世界 \N{BIRD} \N{PERSON WITH BALL}", ""])
def test_texts_become_tokens_and_texts_again(language_node, text):
    tokens = tokens_of(language_node, text)
    answer = language_node.rest.post("/detokenize", {"model": NAME, "tokens": tokens}).json()
    assert answer["content"] == text
    pieces = tokens_of(language_node, text, with_pieces=True)
    assert [piece["id"] for piece in pieces] == tokens
    # A piece that is no text by itself is given as bytes.
    parts = [
        piece["piece"].encode() if isinstance(piece["piece"], str) else bytes(piece["piece"])
        for piece in pieces
    ]
    assert b"".join(parts).decode() == text


def test_a_model_that_generates_makes_no_embeddings(language_model):
    with pytest.raises(openai.BadRequestError) as refusal:
        language_model.embeddings.create(model=NAME, input="bird")
    assert refusal.value.code == "model_not_supported"
    assert refusal.value.param == "model"
    assert "embeddings" in refusal.value.message
