"""TF-IDF and logistic regression against scikit-learn, BM25 against its formula."""

import math

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from seedbed.evaluate.bag_of_words import TfIdf, bm25_scores, tfidf_scores, words
from seedbed.evaluate.linear import fit, standardize

TEXTS = [
    "The gull sat on the wall, and the wall was wet.",
    "A gull is no owl.",
    "Owls hunt at night; gulls by day.",
    "wet wet wet",
    "",
]


def test_words_and_parts() -> None:
    assert words("Der Fluß, 3 x") == ["der", "fluß", "3", "x"]
    assert words("readHTTPHeader_v2", parts=True) == ["readhttpheader_v2", "read", "http", "header", "v", "2"]
    assert words("plain", parts=True) == ["plain"]
    assert words("a b c", ngrams=2) == ["a", "b", "c", "a b", "b c"]


@pytest.mark.parametrize("ngrams", [1, 2])
def test_tfidf_equals_scikit_learn(ngrams: int) -> None:
    reference = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, ngrams), token_pattern=r"\w+").fit(TEXTS)
    ours = TfIdf(TEXTS, ngrams=ngrams)
    assert list(ours.columns) == list(reference.get_feature_names_out())
    asked = [*TEXTS, "gull owl unseen"]
    assert ours.vectors(asked).dense() == pytest.approx(reference.transform(asked).toarray(), abs=1e-6)


def test_tfidf_scores_are_cosines() -> None:
    reference = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit(TEXTS)
    queries = ["wet gull", "night", "nothing known"]
    wanted = (reference.transform(queries) @ reference.transform(TEXTS).T).toarray()
    assert tfidf_scores(queries, TEXTS) == pytest.approx(wanted, abs=1e-9)


def test_bm25_equals_its_formula() -> None:
    queries = ["the wet gull", "owl owl", "unknown"]
    found = bm25_scores(queries, TEXTS)
    lists = [words(text) for text in TEXTS]
    average = sum(map(len, lists)) / len(lists)
    for q, query in enumerate(queries):
        for d, document in enumerate(lists):
            total = 0.0
            for word in words(query):
                df, tf = sum(word in other for other in lists), document.count(word)
                idf = math.log(1 + (len(lists) - df + 0.5) / (df + 0.5))
                total += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(document) / average))
            assert found[q, d] == pytest.approx(total)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_logistic_regression_equals_scikit_learn(num_classes: int) -> None:
    random = np.random.default_rng(num_classes)
    x = random.normal(size=(120, 6))
    labels = (x[:, 0] + 0.7 * random.normal(size=120) > 0).astype(int) + (num_classes > 2) * (x[:, 1] > 0.8)
    ours = fit(x, labels, num_classes, penalty=2.0, max_steps=500)
    reference = LogisticRegression(C=0.5, tol=1e-8, max_iter=2000).fit(x, labels)
    scores = ours.scores(x)
    chances = np.exp(scores - scores.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    if num_classes > 2:  # with two classes scikit-learn penalizes one vector, not two
        assert chances == pytest.approx(reference.predict_proba(x), abs=2e-3)
    assert (scores.argmax(1) == reference.predict(x)).mean() > 0.99


def test_sparse_and_dense_features_fit_alike() -> None:
    texts = ["good fine", "fine nice", "bad poor", "poor worse", "good nice", "bad worse"]
    labels = np.array([0, 0, 1, 1, 0, 1])
    vectors = TfIdf(texts).vectors(texts)
    sparse, dense = fit(vectors, labels, 2), fit(vectors.dense(), labels, 2)
    assert sparse.scores(vectors) == pytest.approx(dense.scores(vectors.dense()), abs=1e-3)
    assert (sparse.scores(vectors).argmax(1) == labels).all()
    assert (fit(vectors, labels, 2).weights_FC == sparse.weights_FC).all()


def test_standardize_keeps_constant_features_finite() -> None:
    train, test = standardize(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 6.0]]))
    assert train.tolist() == [[-1, 0], [1, 0]] and test.tolist() == [[0, 1]]
