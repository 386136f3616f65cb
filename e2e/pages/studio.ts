/** The studio as a user meets it: places, drops, and the words on the rail. */
import { expect, type Locator, type Page } from '@playwright/test';
import { trainRows } from '../files/demo.ts';
import { ChatPage } from './chat.ts';
import { DataPage } from './data.ts';
import { ExportPage } from './export.ts';
import { ModelPage } from './model.ts';
import { RecipePage } from './recipe.ts';
import { RunsPage } from './runs.ts';
import { TrainPage } from './train.ts';

export type Place = 'Model' | 'Data' | 'Recipe' | 'Train' | 'Chat' | 'Export' | 'Runs';

export class StudioPage {
  readonly page: Page;
  readonly model: ModelPage;
  readonly data: DataPage;
  readonly recipe: RecipePage;
  readonly train: TrainPage;
  readonly chat: ChatPage;
  readonly export: ExportPage;
  readonly runs: RunsPage;
  readonly error: Locator;
  /** What is said of another tab. */
  readonly otherTab: Locator;
  readonly takeOver: Locator;

  constructor(page: Page) {
    this.page = page;
    this.model = new ModelPage(page);
    this.data = new DataPage(page);
    this.recipe = new RecipePage(page);
    this.train = new TrainPage(page);
    this.chat = new ChatPage(page);
    this.export = new ExportPage(page);
    this.runs = new RunsPage(page);
    this.error = page.getByRole('alert');
    this.otherTab = page.getByTestId('other-tab');
    this.takeOver = page.getByRole('button', { name: 'Take over here' });
  }

  /** Opens the page and waits for the demo project. `url`: where a context knows no base. */
  async open(url = '/'): Promise<void> {
    await this.page.goto(url);
    await this.opened();
  }

  async opened(): Promise<void> {
    await expect(this.state('Model')).toContainText('demo, ');
    await expect(this.state('Data')).toContainText(`${trainRows.length.toLocaleString('en')} rows`);
    await expect(this.state('Train')).toContainText('ready');
  }

  async goTo(place: Place): Promise<void> {
    await this.page
      .getByRole('navigation')
      .getByRole('link', { name: new RegExp(`^${place}`) })
      .click();
    await expect(this.page.getByRole('heading', { level: 1, name: place })).toBeVisible();
  }

  /** What the rail says of a place. */
  state(place: Place): Locator {
    return this.page.getByTestId(`state-${place.toLowerCase()}`);
  }

  /** Drops files or folders of the disk on the middle of the window, as the system would. */
  async drop(...paths: string[]): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await session.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
    }
    await session.detach();
  }
}
