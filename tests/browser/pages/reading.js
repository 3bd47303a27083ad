// What a page can read of an answer, by every way that it has; and waiting that ends.
export const PATIENCE = 4000; // milliseconds

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const within = (promise, otherwise) =>
  Promise.race([promise, pause(PATIENCE).then(() => otherwise ?? "nothing happened in time")]);

export async function answerOf(asked) {
  try {
    const answer = await within(asked);
    if (!(answer instanceof Response)) return answer;
    const { status, type, url, redirected } = answer;
    return { status, type, url, redirected, headers: [...answer.headers], text: await within(answer.text()) };
  } catch (error) {
    return { thrown: String(error) };
  }
}

// Each look on its own: the first one that throws must not keep the others from succeeding.
export function tried(...looks) {
  return looks.map((look) => {
    try {
      return String(look());
    } catch (error) {
      return `thrown: ${error}`;
    }
  });
}

export const ended = (target, ...events) =>
  within(new Promise((resolve) => events.forEach((each) => target.addEventListener(each, (e) => resolve(e.type)))));
